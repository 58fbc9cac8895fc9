<?php

declare(strict_types=1);

namespace InnoAI\Model;

/**
 * What difference a change would have made to what the key did.
 *
 * Of `requests`, which were admitted, `refused` would not have been. `let_in`: others that would. `uncertain`: too
 * little is on record. `outdated`: refused as the key is now, with the change or without it.
 */
final class KeyPreview extends Model
{
    public readonly string $object;
    public readonly string $key_id;
    public readonly int $days;
    public readonly int $kept_days;
    public readonly int $requests;
    public readonly int $refused;
    public readonly int $let_in;
    public readonly int $uncertain;
    public readonly int $outdated;
    /** @var list<Difference> */
    #[ListOf(Difference::class)]
    public readonly array $reasons;
    /** @var list<Difference> */
    #[ListOf(Difference::class)]
    public readonly array $admissions;
    public readonly ?RatePreview $rate;
}
