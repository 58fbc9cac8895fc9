<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What may be spent, and when the account is told. */
final class BillingSettings extends Model
{
    public readonly string $object;
    public readonly string $currency;
    /** @var list<string> what `currency` may be */
    public readonly array $currencies;
    public readonly Budgets $budgets;
    /** @var list<int> percent of a budget */
    public readonly array $alert_thresholds;
}
