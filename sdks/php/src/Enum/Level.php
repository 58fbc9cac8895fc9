<?php

declare(strict_types=1);

namespace InnoAI\Enum;

/** A named preset of scopes; each includes the ones before it. */
enum Level: string
{
    case Read = 'read';
    case Write = 'write';
    case Delete = 'delete';
    case Admin = 'admin';
}
