<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Internal\Check;
use InnoAI\Internal\Params;
use InnoAI\Model\Customer;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;

/** The account's end customers. */
final class Customers extends Resource
{
    /**
     * Create a customer under the account's own id for it.
     *
     * `rate_limit`: requests a minute of all its credentials together. `budgets` and Idempotency-Key as for keys.
     *
     * @param array{
     *     customer_id: string,
     *     name?: string,
     *     metadata?: array<string, string>,
     *     rate_limit?: int,
     *     budgets?: array{monthly?: string|int|null, total?: string|int|null},
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function create(array $params, array $options = []): Customer
    {
        return Customer::from($this->sender->object(Call::create('/customers', Params::known($params), $options)));
    }

    /**
     * The account's customers. `limit`: customers a page, 1-100.
     *
     * @param array{limit?: int, cursor?: string} $params
     * @return Page<Customer>
     */
    public function list(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/customers', Customer::class, $params));
    }

    /** The customer of that id, the account's own. */
    public function get(string $customerId): Customer
    {
        return Customer::from($this->sender->object(Call::get(self::path($customerId))));
    }

    /**
     * Change what is given and leave the rest. A disabled customer's tokens are refused.
     *
     * Null takes the name, the rate limit or a budget away.
     *
     * @param array{
     *     name?: string|null,
     *     metadata?: array<string, string>,
     *     disabled?: bool,
     *     rate_limit?: int|null,
     *     budgets?: array{monthly?: string|int|null, total?: string|int|null},
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function update(string $customerId, array $params, array $options = []): Customer
    {
        $call = Call::change(self::path($customerId), Params::given($params), $options);
        return Customer::from($this->sender->object($call));
    }

    /** Delete the customer; its tokens die with it. */
    public function delete(string $customerId): void
    {
        $this->sender->run(Call::delete(self::path($customerId)));
    }

    private static function path(string $customerId): string
    {
        return '/customers/' . Check::segment('customer_id', $customerId);
    }
}
