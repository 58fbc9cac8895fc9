<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What the limit would have met. `hours_above`: hours that had a minute with more requests. */
final class RatePreview extends Model
{
    public readonly int $limit;
    public readonly ?int $peak_minute;
    public readonly int $hours_above;
}
