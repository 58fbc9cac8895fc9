<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What a credential may be allowed to do. */
final class ScopeDescription extends Model
{
    public readonly string $name;
    public readonly string $description;
}
