<?php

declare(strict_types=1);

namespace InnoAI\Enum;

/** Whether an API key is good. */
enum KeyStatus: string
{
    case Active = 'active';
    case Expired = 'expired';
    case Revoked = 'revoked';
}
