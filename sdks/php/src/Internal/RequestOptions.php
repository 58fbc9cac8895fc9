<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Exception\InvalidArgument;
use InnoAI\Secret;

/**
 * What may be said of a single request: `idempotency_key`, `timeout` and `max_retries` in place of the client's, and
 * `headers` beside them.
 *
 * @internal
 */
final class RequestOptions
{
    private const NAMES = ['idempotency_key', 'timeout', 'max_retries', 'headers'];

    private function __construct(
        public readonly ?string $idempotencyKey,
        public readonly ?float $timeout,
        public readonly ?int $maxRetries,
        private readonly Secret $headers,
    ) {
    }

    /** @param array<string, mixed> $given */
    public static function from(#[\SensitiveParameter] array $given): self
    {
        $unknown = array_diff(array_keys($given), self::NAMES);
        if ($unknown !== []) {
            $names = implode(', ', self::NAMES);
            throw new InvalidArgument("A request has no option '" . current($unknown) . "'. Options are {$names}.");
        }
        $key = Check::nullable('idempotency_key', $given['idempotency_key'] ?? null, 'string');
        if ($key !== null && preg_match('/\A[!-~]{1,255}\z/', $key) !== 1) {
            throw new InvalidArgument('idempotency_key is 1 to 255 printable ASCII characters without spaces.');
        }
        return new self(
            $key,
            isset($given['timeout']) ? Check::seconds('timeout', $given['timeout']) : null,
            isset($given['max_retries']) ? Check::whole('max_retries', $given['max_retries'], 0) : null,
            new Secret(serialize(Check::headers('headers', $given['headers'] ?? []))),
        );
    }

    /** @return array<string, string> */
    public function headers(): array
    {
        return unserialize($this->headers->reveal(), ['allowed_classes' => false]);
    }
}
