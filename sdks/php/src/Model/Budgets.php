<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What may be spent in a calendar month (UTC), and altogether: decimal text, null for no bound. */
final class Budgets extends Model
{
    public readonly ?string $monthly;
    public readonly ?string $total;
}
