<?php

declare(strict_types=1);

namespace InnoAI\Enum;

/** What became of a delivery so far. */
enum DeliveryState: string
{
    case Pending = 'pending';
    case Succeeded = 'succeeded';
    case Failed = 'failed';
}
