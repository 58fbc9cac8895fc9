<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Internal\Check;
use InnoAI\Internal\Params;
use InnoAI\Model\BillingSettings;
use InnoAI\Model\BillingSummary;
use InnoAI\Model\Statement;
use InnoAI\Model\TopUsage;
use InnoAI\Model\UsageBucket;
use InnoAI\Model\UsageRecord;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;
use InnoAI\Page\UsagePage;
use InnoAI\Stream\Download;

/** What was used, what it cost, and what may be spent. Amounts are decimal text: exact, and never floats. */
final class Billing extends Resource
{
    private const CSV = ['headers' => ['Accept' => 'text/csv']];

    /**
     * The usage of a time: records, the newest first, or with `group_by` sums of whole hours, ascending.
     *
     * `from`, `to`: by default from the start of the month until now. `limit`: items a page, 1-100.
     *
     * @param array{
     *     from?: string|\DateTimeInterface,
     *     to?: string|\DateTimeInterface,
     *     model?: string,
     *     key_id?: string,
     *     customer_id?: string,
     *     group_by?: list<string|\InnoAI\Enum\GroupBy>,
     *     limit?: int,
     *     cursor?: string,
     * } $params
     * @return ($params is array{group_by: array} ? UsagePage<UsageBucket> : UsagePage<UsageRecord>)
     */
    public function usage(array $params = []): UsagePage
    {
        $item = isset($params['group_by']) ? UsageBucket::class : UsageRecord::class;
        return UsagePage::first(new Listing($this->sender, '/billing/usage', $item, $params));
    }

    /**
     * The same as one CSV file, however long; it is read as it comes.
     *
     * @param array{
     *     from?: string|\DateTimeInterface,
     *     to?: string|\DateTimeInterface,
     *     model?: string,
     *     key_id?: string,
     *     customer_id?: string,
     *     group_by?: list<string|\InnoAI\Enum\GroupBy>,
     * } $params
     */
    public function usageCsv(array $params = []): Download
    {
        return $this->csv('/billing/usage', $params);
    }

    /**
     * Who used most in a month (`2026-11`, by default the current one, UTC), by `key` or by `customer`.
     *
     * @param array{by?: string, month?: string, limit?: int} $params
     * @return Page<TopUsage>
     */
    public function top(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/billing/top', TopUsage::class, $params));
    }

    /**
     * A month's usage in total and by model, and how far the budgets are used.
     *
     * `month`: `2026-11`, by default the current one (UTC). `customer_id` or `key_id`: of these alone.
     *
     * @param array{month?: string, customer_id?: string, key_id?: string} $params
     */
    public function summary(array $params = []): BillingSummary
    {
        return BillingSummary::from($this->sender->object(Call::get('/billing/summary', $params)));
    }

    /** The account's currency, budgets and alert thresholds. */
    public function settings(): BillingSettings
    {
        return BillingSettings::from($this->sender->object(Call::get('/billing/settings')));
    }

    /**
     * Change what is given and leave the rest.
     *
     * `currency`: final once anything was charged. `alert_thresholds`: percent of a budget, 1-100, or none at all;
     * null is the server's default.
     *
     * @param array{
     *     currency?: string,
     *     budgets?: array{monthly?: string|int|null, total?: string|int|null},
     *     alert_thresholds?: list<int>|null,
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function updateSettings(array $params, array $options = []): BillingSettings
    {
        $call = Call::change('/billing/settings', Params::given($params), $options);
        return BillingSettings::from($this->sender->object($call));
    }

    /**
     * The customers' monthly statements. `limit`: statements a page, 1-100.
     *
     * @param array{month?: string, customer_id?: string, limit?: int, cursor?: string} $params
     * @return Page<Statement>
     */
    public function statements(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/billing/statements', Statement::class, $params));
    }

    /**
     * The same as one CSV file; it is read as it comes.
     *
     * @param array{month?: string, customer_id?: string} $params
     */
    public function statementsCsv(array $params = []): Download
    {
        return $this->csv('/billing/statements', $params);
    }

    /** A customer's statement of a month (`2026-11`), with its `lines` by day and model. */
    public function statement(string $month, string $customerId): Statement
    {
        return Statement::from($this->sender->object(Call::get(self::path($month, $customerId))));
    }

    /** The statement's lines as a CSV file; it is read as it comes. */
    public function statementCsv(string $month, string $customerId): Download
    {
        return $this->csv(self::path($month, $customerId), []);
    }

    /** @param array<string, mixed> $params */
    private function csv(string $path, array $params): Download
    {
        return new Download($this->sender->open(Call::get($path, [...$params, 'format' => 'csv'], self::CSV)));
    }

    private static function path(string $month, string $customerId): string
    {
        return '/billing/statements/' . Check::segment('month', $month)
            . '/' . Check::segment('customer_id', $customerId);
    }
}
