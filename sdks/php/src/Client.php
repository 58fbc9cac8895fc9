<?php

declare(strict_types=1);

namespace InnoAI;

use InnoAI\Concurrency\Scheduler;
use InnoAI\Exception\InvalidArgument;
use InnoAI\Internal\Call;
use InnoAI\Internal\Options;
use InnoAI\Internal\Sender;
use InnoAI\Model\AccessMatrix;
use InnoAI\Resource\Audit;
use InnoAI\Resource\Auth;
use InnoAI\Resource\Billing;
use InnoAI\Resource\Chat;
use InnoAI\Resource\Customers;
use InnoAI\Resource\Embeddings;
use InnoAI\Resource\Keys;
use InnoAI\Resource\Members;
use InnoAI\Resource\Models;
use InnoAI\Resource\Requests;
use InnoAI\Resource\Webhooks;

/**
 * A client of an innoai server: its models, and its control plane.
 *
 * Names are the API's own, in what is passed as in what is answered: `rate_limit` here is `rate_limit` there. Whatever
 * goes wrong is an `InnoAI\Exception\InnoAIException`.
 */
final class Client
{
    public readonly Chat $chat;
    public readonly Embeddings $embeddings;
    public readonly Models $models;
    public readonly Auth $auth;
    public readonly Keys $keys;
    public readonly Customers $customers;
    public readonly Members $members;
    public readonly Billing $billing;
    public readonly Webhooks $webhooks;
    public readonly Requests $requests;
    public readonly Audit $audit;

    private readonly Options $options;
    private readonly Sender $sender;

    /**
     * `api_key`: INNOAI_API_KEY by default. `base_url`: with `/v1`, by default INNOAI_BASE_URL, and without that
     * http://127.0.0.1:8080/v1.
     *
     * With `customer_id` or `scopes` the client uses token auth: it mints tokens narrowed to them that live
     * `token_lifetime` seconds (60-86,400), and keeps them fresh; the key then goes to /auth/token alone.
     *
     * `timeout`: seconds without a byte from the server, 600 by default. `connect_timeout`: seconds, 5 by default.
     * `max_retries`: 2 by default. `ca_file`: certificates to trust, a PEM file. `http_client`: any PSR-18 client in
     * place of curl, with its PSR-17 factories where they are not found by themselves.
     *
     * @param array{
     *     api_key?: string|Secret|null,
     *     base_url?: string|null,
     *     customer_id?: string|null,
     *     scopes?: list<string|\InnoAI\Enum\Scope>|null,
     *     token_lifetime?: int,
     *     timeout?: int|float,
     *     connect_timeout?: int|float,
     *     max_retries?: int,
     *     default_headers?: array<string, string>,
     *     ca_file?: string|null,
     *     http_client?: \Psr\Http\Client\ClientInterface|null,
     *     request_factory?: \Psr\Http\Message\RequestFactoryInterface|null,
     *     stream_factory?: \Psr\Http\Message\StreamFactoryInterface|null,
     *     transport?: \InnoAI\Http\Transport|null,
     * } $options
     * @throws \InnoAI\Exception\MissingApiKey
     * @throws InvalidArgument on an option that is unknown or cannot be used
     */
    public function __construct(#[\SensitiveParameter] array $options = [])
    {
        $this->options = Options::from($options);
        $this->sender = $sender = new Sender($this->options);
        $this->chat = new Chat($sender);
        $this->embeddings = new Embeddings($sender);
        $this->models = new Models($sender);
        $this->auth = new Auth($sender);
        $this->keys = new Keys($sender);
        $this->customers = new Customers($sender);
        $this->members = new Members($sender);
        $this->billing = new Billing($sender);
        $this->webhooks = new Webhooks($sender);
        $this->requests = new Requests($sender);
        $this->audit = new Audit($sender);
    }

    /** The access-control matrix: tiers, scopes, levels and the scope that each route asks for. */
    public function tiers(): AccessMatrix
    {
        return AccessMatrix::from($this->sender->object(Call::get('/tiers')));
    }

    /**
     * A client that acts for that customer by token; it shares this one's connections.
     *
     * `scopes`: those of the key by default. `expires_in`: seconds that each token lives, 3600 by default.
     *
     * @param array{scopes?: list<string|\InnoAI\Enum\Scope>, expires_in?: int} $params
     */
    public function asCustomer(string $customerId, array $params = []): self
    {
        if ($customerId === '') {
            throw new InvalidArgument("asCustomer needs a customer's id; without one it would be nobody's client.");
        }
        $unknown = array_diff(array_keys($params), ['scopes', 'expires_in']);
        if ($unknown !== []) {
            $one = current($unknown);
            throw new InvalidArgument("asCustomer takes 'scopes' and 'expires_in', and no '{$one}'.");
        }
        return $this->with([
            'customer_id' => $customerId,
            'scopes' => $params['scopes'] ?? null,
            'token_lifetime' => $params['expires_in'] ?? Options::DEFAULT_TOKEN_LIFETIME,
        ]);
    }

    /**
     * This client with some of its options changed; it shares this one's connections. Token auth is carried over, with
     * tokens of its own.
     *
     * @param array<string, mixed> $options as for a new client
     */
    public function with(#[\SensitiveParameter] array $options): self
    {
        return new self($this->options->changed($options));
    }

    /**
     * Any other route of the server, such as `request('POST', '/moderations', [...])`: its JSON object as an array.
     *
     * @param array<string, mixed>|null $body
     * @param array<string, mixed> $query
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     * @return array<string, mixed>
     */
    public function request(
        string $method,
        string $path,
        #[\SensitiveParameter] ?array $body = null,
        array $query = [],
        array $options = [],
    ): array {
        $good = preg_match('/\A[A-Z]{3,7}\z/', $method) === 1 && preg_match('~\A(/[^\s/?#\\\\]+)+\z~', $path) === 1;
        if (!$good || array_intersect(explode('/', $path), ['.', '..']) !== []) {
            throw new InvalidArgument('A request has a method such as POST, and a path such as /moderations.');
        }
        return $this->sender->object(Call::any($method, $path, $body, $query, $options));
    }

    /**
     * Calls side by side: while one waits for its answer, the others go on.
     *
     * The results are under the keys of the calls. When calls fail, all others still end, and the first failure is
     * thrown; a call that catches its own is none. Over a PSR-18 client they run one after the other.
     *
     * @param array<array-key, callable(): mixed> $calls
     * @param int $limit how many are under way at once
     * @return array<array-key, mixed>
     */
    public function concurrently(array $calls, int $limit = 16): array
    {
        return (new Scheduler())->run($calls, max(1, $limit));
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return [
            'api_key' => Secret::HIDDEN,
            'base_url' => $this->options->baseUrl,
            'customer_id' => $this->options->customerId,
            'scopes' => $this->options->scopes,
        ];
    }

    /** @return array<never, never> */
    public function __serialize(): array
    {
        throw new \LogicException('A client holds a credential and is not serialized: make another from its options.');
    }

    /** @param array<mixed> $data */
    public function __unserialize(array $data): void
    {
        throw new \LogicException('A client is not serialized.');
    }
}
