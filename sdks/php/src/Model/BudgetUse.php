<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A budget, and how far it is used; amounts are decimal text. */
final class BudgetUse extends Model
{
    public readonly string $subject_id;
    public readonly ?string $customer_id;
    public readonly ?string $key_id;
    /** `2026-11`, or `total`. */
    public readonly string $period;
    public readonly string $budget;
    public readonly string $spent;
    /** For requests under way. */
    public readonly string $held;
    public readonly string $remaining;
}
