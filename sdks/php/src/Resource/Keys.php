<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Exception\InvalidArgument;
use InnoAI\Internal\Call;
use InnoAI\Internal\Check;
use InnoAI\Internal\Credential;
use InnoAI\Internal\Params;
use InnoAI\Model\ApiKey;
use InnoAI\Model\KeyActivity;
use InnoAI\Model\KeyAdvice;
use InnoAI\Model\KeyPreview;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;

/** The account's API keys. */
final class Keys extends Resource
{
    /**
     * Create a key. The answer's `key` is the key itself, shown this once.
     *
     * `scopes` or `level`, not both. `allowed_ips`: CIDRs. `rate_limit`: requests a minute. `budgets`: what it may
     * spend, like `['monthly' => '20']`, in the account's currency. The request carries an Idempotency-Key, so that a
     * repetition cannot create a second key.
     *
     * @param array{
     *     name: string,
     *     scopes?: list<string|\InnoAI\Enum\Scope>,
     *     level?: string|\InnoAI\Enum\Level,
     *     allowed_ips?: list<string>,
     *     rate_limit?: int,
     *     expires_at?: string|\DateTimeInterface,
     *     models?: list<string>,
     *     customer_id?: string,
     *     budgets?: array{monthly?: string|int|null, total?: string|int|null},
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function create(array $params, array $options = []): ApiKey
    {
        return ApiKey::from($this->sender->object(Call::create('/keys', Params::known($params), $options)));
    }

    /**
     * The account's keys. `limit`: keys a page, 1-100.
     *
     * @param array{limit?: int, cursor?: string, status?: string|\InnoAI\Enum\KeyStatus, customer_id?: string} $params
     * @return Page<ApiKey>
     */
    public function list(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/keys', ApiKey::class, $params));
    }

    /** The key of that id, `key_…`. */
    public function get(#[\SensitiveParameter] string $keyId): ApiKey
    {
        return ApiKey::from($this->sender->object(Call::get(self::path($keyId))));
    }

    /**
     * Change what is given and leave the rest. Null takes a bound away (expires_at, models) or resets it.
     *
     * @param array{
     *     name?: string,
     *     scopes?: list<string|\InnoAI\Enum\Scope>,
     *     allowed_ips?: list<string>,
     *     rate_limit?: int|null,
     *     expires_at?: string|\DateTimeInterface|null,
     *     models?: list<string>|null,
     *     budgets?: array{monthly?: string|int|null, total?: string|int|null},
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function update(#[\SensitiveParameter] string $keyId, array $params, array $options = []): ApiKey
    {
        $call = Call::change(self::path($keyId), Params::given($params), $options);
        return ApiKey::from($this->sender->object($call));
    }

    /**
     * A successor to the key, itself in `key`; the old one expires after the overlap.
     *
     * `overlap`: seconds, 0-2,592,000, a day by default. Idempotency-Key as in create.
     *
     * @param array{overlap?: int, name?: string} $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function rotate(#[\SensitiveParameter] string $keyId, array $params = [], array $options = []): ApiKey
    {
        $call = Call::create(self::path($keyId) . '/rotate', Params::known($params), $options);
        return ApiKey::from($this->sender->object($call));
    }

    /** Revoke the key of that id, and every token minted from it. */
    public function revoke(#[\SensitiveParameter] string $keyId): void
    {
        $this->sender->run(Call::delete(self::path($keyId)));
    }

    /**
     * What the key did by hour, route, address and model, and what it was refused. `from`, `to`: instants; the last 30
     * days by default.
     *
     * @param array{from?: string|\DateTimeInterface, to?: string|\DateTimeInterface} $params
     */
    public function activity(#[\SensitiveParameter] string $keyId, array $params = []): KeyActivity
    {
        $call = Call::get(self::path($keyId) . '/activity', $params);
        return KeyActivity::from($this->sender->object($call));
    }

    /**
     * What could be taken away from the key without refusing anything that it did. `days`: up to now, 1-400, 30 by
     * default.
     *
     * @param array{days?: int} $params
     */
    public function advice(#[\SensitiveParameter] string $keyId, array $params = []): KeyAdvice
    {
        return KeyAdvice::from($this->sender->object(Call::get(self::path($keyId) . '/advice', $params)));
    }

    /**
     * What a change to the key would have refused of what it did in so many days. Nothing is changed.
     *
     * @param array{
     *     scopes?: list<string|\InnoAI\Enum\Scope>,
     *     level?: string|\InnoAI\Enum\Level,
     *     allowed_ips?: list<string>,
     *     rate_limit?: int|null,
     *     expires_at?: string|\DateTimeInterface|null,
     *     models?: list<string>|null,
     *     days?: int,
     * } $params
     */
    public function preview(#[\SensitiveParameter] string $keyId, array $params): KeyPreview
    {
        $call = Call::ask(self::path($keyId) . '/preview', Params::given($params), Credential::OfClient);
        return KeyPreview::from($this->sender->object($call));
    }

    /** Refuses a key itself, which does not belong into an address: addresses are logged. */
    private static function path(#[\SensitiveParameter] string $keyId): string
    {
        if (str_starts_with($keyId, 'sk-')) {
            throw new InvalidArgument("That is a key itself, not its id (key_…); auth->revoke() takes a key's secret.");
        }
        return '/keys/' . Check::segment('key_id', $keyId);
    }
}
