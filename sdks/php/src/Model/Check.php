<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** One step of a decision. */
final class Check extends Model
{
    public readonly string $name;
    /** `passed`, `refused` or `not_reached`. */
    public readonly string $outcome;
    public readonly ?string $detail;
}
