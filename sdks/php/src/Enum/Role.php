<?php

declare(strict_types=1);

namespace InnoAI\Enum;

/** What a member of the account may do in it. */
enum Role: string
{
    case Owner = 'owner';
    case Admin = 'admin';
    case Developer = 'developer';
    case Viewer = 'viewer';
}
