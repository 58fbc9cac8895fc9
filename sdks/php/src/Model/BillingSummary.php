<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A month's usage in total and by model, and how far the budgets are used. */
final class BillingSummary extends Model
{
    public readonly string $object;
    public readonly string $month;
    public readonly string $currency;
    public readonly Totals $totals;
    /** @var list<ModelTotals> */
    #[ListOf(ModelTotals::class)]
    public readonly array $models;
    /** @var list<BudgetUse> */
    #[ListOf(BudgetUse::class)]
    public readonly array $budgets;
}
