<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Secret;

/**
 * One request of the API as a value, before a credential and an address are put to it.
 *
 * @internal
 */
final class Call
{
    public const IDEMPOTENCY_KEY = 'Idempotency-Key';

    /** @var array<string, Secret> */
    public readonly array $headers;
    public readonly ?float $timeout;
    public readonly ?int $maxRetries;
    /** Whether it may be sent twice without being done twice. */
    public readonly bool $repeatable;

    /**
     * @param Secret|null $body JSON
     * @param array<string, string> $headers
     * @param bool $idempotent the route heeds Idempotency-Key: a call without one of the caller's gets its own
     * @param bool|null $repeatable null: as the method says, or an Idempotency-Key
     */
    private function __construct(
        public readonly string $method,
        public readonly string $path,
        public readonly ?Secret $body,
        #[\SensitiveParameter] array $headers,
        public readonly Credential $credential,
        RequestOptions $options,
        bool $idempotent = false,
        ?bool $repeatable = null,
    ) {
        $headers = [...$headers, ...$options->headers()];
        $key = $options->idempotencyKey ?? ($idempotent ? self::newKey() : null);
        if ($key !== null) {
            $headers[self::IDEMPOTENCY_KEY] = $key;
        }
        $this->headers = array_map(static fn (#[\SensitiveParameter] string $value) => new Secret($value), $headers);
        $this->timeout = $options->timeout;
        $this->maxRetries = $options->maxRetries;
        $this->repeatable = $repeatable ?? ($key !== null || in_array($method, ['GET', 'HEAD', 'DELETE', 'PUT'], true));
    }

    /**
     * @param array<string, mixed> $query
     * @param array<string, mixed> $options of the request
     */
    public static function get(string $path, array $query = [], array $options = []): self
    {
        $options = RequestOptions::from($options);
        return new self('GET', $path . Query::text($query), null, [], Credential::OfClient, $options);
    }

    /** @param array<string, mixed> $options of the request */
    public static function delete(string $path, array $options = []): self
    {
        return new self('DELETE', $path, null, [], Credential::OfClient, RequestOptions::from($options));
    }

    /**
     * A call that makes something, at a route that heeds Idempotency-Key.
     *
     * @param array<string, mixed>|null $body
     * @param array<string, mixed> $options of the request
     */
    public static function create(string $path, #[\SensitiveParameter] ?array $body, array $options): self
    {
        $options = RequestOptions::from($options);
        return new self('POST', $path, self::json($body), [], Credential::OfClient, $options, idempotent: true);
    }

    /**
     * A call that changes something.
     *
     * @param array<string, mixed> $body
     * @param array<string, mixed> $options of the request
     */
    public static function change(string $path, #[\SensitiveParameter] array $body, array $options): self
    {
        $options = RequestOptions::from($options);
        return new self('PATCH', $path, self::json($body), [], Credential::OfClient, $options);
    }

    /**
     * A question about a credential, or a new token for one: asked twice it is no harm.
     *
     * @param array<string, mixed> $body
     */
    public static function ask(string $path, #[\SensitiveParameter] array $body, Credential $credential): self
    {
        return new self('POST', $path, self::json($body), [], $credential, RequestOptions::from([]), repeatable: true);
    }

    /**
     * Work for a model. It costs money each time.
     *
     * @param array<string, mixed> $body
     * @param array<string, mixed> $options of the request
     */
    public static function infer(string $path, #[\SensitiveParameter] array $body, array $options): self
    {
        $accept = ($body['stream'] ?? false) === true ? ['Accept' => 'text/event-stream'] : [];
        $options = RequestOptions::from($options);
        return new self('POST', $path, self::json($body), $accept, Credential::OfClient, $options);
    }

    /**
     * Any other route.
     *
     * @param array<string, mixed>|null $body
     * @param array<string, mixed> $query
     * @param array<string, mixed> $options of the request
     */
    public static function any(
        string $method,
        string $path,
        #[\SensitiveParameter] ?array $body,
        array $query,
        array $options,
    ): self {
        $options = RequestOptions::from($options);
        $path .= Query::text($query);
        return new self($method, $path, self::json($body), [], Credential::OfClient, $options);
    }

    /** @param array<string, mixed>|null $body */
    private static function json(#[\SensitiveParameter] ?array $body): ?Secret
    {
        return $body === null ? null : new Secret(Json::write($body === [] ? new \stdClass() : $body));
    }

    /** A random UUID (RFC 9562, version 4). */
    private static function newKey(): string
    {
        $bytes = random_bytes(16);
        $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
