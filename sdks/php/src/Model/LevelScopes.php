<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A named preset of scopes. */
final class LevelScopes extends Model
{
    public readonly string $name;
    /** @var list<string> */
    public readonly array $scopes;
}
