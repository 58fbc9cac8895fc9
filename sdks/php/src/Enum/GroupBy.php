<?php

declare(strict_types=1);

namespace InnoAI\Enum;

/** What usage is added up by. */
enum GroupBy: string
{
    case Day = 'day';
    case Hour = 'hour';
    case Model = 'model';
    case Key = 'key';
    case Customer = 'customer';
}
