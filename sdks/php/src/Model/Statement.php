<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A customer's month. */
final class Statement extends Model
{
    public readonly string $object;
    public readonly string $customer_id;
    public readonly string $month;
    /** `open` or `closed`. */
    public readonly string $status;
    public readonly string $currency;
    public readonly int $requests;
    public readonly int $prompt_tokens;
    public readonly int $cached_tokens;
    public readonly int $completion_tokens;
    /** Decimal text. */
    public readonly string $cost;
    /** @var list<StatementLine>|null By day and model; with a single statement alone. */
    #[ListOf(StatementLine::class)]
    public readonly ?array $lines;
}
