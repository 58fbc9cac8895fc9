<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** An hour in which the key was used, or refused. */
final class ActivityHour extends Model
{
    public readonly \DateTimeImmutable $hour;
    public readonly int $allowed;
    public readonly int $refused;
}
