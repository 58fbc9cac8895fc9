<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Enum\Scope;
use InnoAI\Exception\InvalidArgument;
use InnoAI\Exception\MissingApiKey;
use InnoAI\Http\CurlTransport;
use InnoAI\Http\Psr17Factories;
use InnoAI\Http\Transport;
use InnoAI\Secret;
use Psr\Http\Client\ClientInterface;
use Psr\Http\Message\RequestFactoryInterface;
use Psr\Http\Message\StreamFactoryInterface;

/**
 * The options of a client, checked.
 *
 * @internal
 */
final class Options
{
    public const KEY_VARIABLE = 'INNOAI_API_KEY';
    public const BASE_URL_VARIABLE = 'INNOAI_BASE_URL';
    public const DEFAULT_BASE_URL = 'http://127.0.0.1:8080/v1';
    /** Seconds. */
    public const DEFAULT_TOKEN_LIFETIME = 3600;
    /** Seconds without a byte; a model may think for long before it answers. */
    public const DEFAULT_TIMEOUT = 600.0;
    /** Seconds. */
    public const DEFAULT_CONNECT_TIMEOUT = 5.0;
    public const DEFAULT_MAX_RETRIES = 2;

    private const NAMES = [
        'api_key', 'base_url', 'customer_id', 'scopes', 'token_lifetime', 'timeout', 'connect_timeout', 'max_retries',
        'default_headers', 'ca_file', 'http_client', 'request_factory', 'stream_factory', 'transport',
    ];

    /**
     * @param list<string>|null $scopes
     * @param array<string, Secret> $headers
     */
    private function __construct(
        public readonly Secret $apiKey,
        public readonly string $baseUrl,
        public readonly ?string $customerId,
        public readonly ?array $scopes,
        public readonly int $tokenLifetime,
        public readonly float $timeout,
        public readonly float $connectTimeout,
        public readonly int $maxRetries,
        public readonly array $headers,
        public readonly Transport $transport,
    ) {
    }

    /** @param array<string, mixed> $given */
    public static function from(#[\SensitiveParameter] array $given): self
    {
        foreach (array_keys($given) as $name) {
            if (!in_array($name, self::NAMES, true)) {
                $names = implode(', ', self::NAMES);
                throw new InvalidArgument("There is no option '{$name}'. Options are {$names}.");
            }
        }
        return new self(
            self::key($given['api_key'] ?? null),
            self::baseUrl($given['base_url'] ?? null),
            Check::nullable('customer_id', $given['customer_id'] ?? null, 'string'),
            self::scopes($given['scopes'] ?? null),
            Check::whole('token_lifetime', $given['token_lifetime'] ?? self::DEFAULT_TOKEN_LIFETIME, 1),
            Check::seconds('timeout', $given['timeout'] ?? self::DEFAULT_TIMEOUT),
            Check::seconds('connect_timeout', $given['connect_timeout'] ?? self::DEFAULT_CONNECT_TIMEOUT),
            Check::whole('max_retries', $given['max_retries'] ?? self::DEFAULT_MAX_RETRIES, 0),
            self::secretHeaders($given['default_headers'] ?? []),
            self::transport($given),
        );
    }

    /**
     * What another client is to be made from, to be like this one but for some options.
     *
     * @param array<string, mixed> $changes
     * @return array<string, mixed>
     */
    public function changed(#[\SensitiveParameter] array $changes): array
    {
        $own = [
            'api_key' => $this->apiKey,
            'base_url' => $this->baseUrl,
            'customer_id' => $this->customerId,
            'scopes' => $this->scopes,
            'token_lifetime' => $this->tokenLifetime,
            'timeout' => $this->timeout,
            'connect_timeout' => $this->connectTimeout,
            'max_retries' => $this->maxRetries,
            'default_headers' => array_map(static fn (Secret $value): string => $value->reveal(), $this->headers),
            'transport' => $this->transport,
        ];
        if (isset($changes['http_client']) || isset($changes['ca_file'])) {
            unset($own['transport']);
        }
        return [...$own, ...$changes];
    }

    /** The key given or the environment's, without surrounding white space, as a file's last newline. */
    private static function key(#[\SensitiveParameter] mixed $given): Secret
    {
        if ($given instanceof Secret) {
            $given = $given->reveal();
        }
        $given ??= self::environment(self::KEY_VARIABLE) ?? '';
        $key = is_string($given) ? trim($given) : throw new InvalidArgument('api_key is a string.');
        if ($key === '') {
            throw new MissingApiKey(
                "No API key: pass 'api_key' or set the environment variable " . self::KEY_VARIABLE . '.',
            );
        }
        if (preg_match('/\A[!-~]+\z/', $key) !== 1) {
            throw new InvalidArgument('The API key contains a space or a character outside ASCII: copy it again.');
        }
        return new Secret($key);
    }

    private static function baseUrl(mixed $given): string
    {
        $url = $given ?? self::environment(self::BASE_URL_VARIABLE) ?? self::DEFAULT_BASE_URL;
        if (!is_string($url) || preg_match('~\Ahttps?://[^\s/?#@\\\\]+(/[^\s?#\\\\]*)?\z~i', $url) !== 1) {
            throw new InvalidArgument(
                'base_url is an address such as https://gateway.example.com/v1, without user, query or fragment.',
            );
        }
        return rtrim($url, '/');
    }

    /** @return list<string>|null */
    private static function scopes(mixed $given): ?array
    {
        if ($given === null) {
            return null;
        }
        if (!is_array($given)) {
            throw new InvalidArgument('scopes is a list of strings.');
        }
        $scopes = [];
        foreach ($given as $scope) {
            $scopes[] = $scope instanceof Scope ? $scope->value : Check::nullable('a scope', $scope, 'string') ?? '';
        }
        return $scopes;
    }

    /** @return array<string, Secret> */
    private static function secretHeaders(#[\SensitiveParameter] mixed $given): array
    {
        return array_map(
            static fn (#[\SensitiveParameter] string $value): Secret => new Secret($value),
            Check::headers('default_headers', $given),
        );
    }

    /** @param array<string, mixed> $given */
    private static function transport(#[\SensitiveParameter] array $given): Transport
    {
        $transport = Check::nullable('transport', $given['transport'] ?? null, Transport::class);
        $client = Check::nullable('http_client', $given['http_client'] ?? null, ClientInterface::class);
        if ($transport !== null) {
            return $transport;
        }
        if ($client === null) {
            return new CurlTransport(Check::nullable('ca_file', $given['ca_file'] ?? null, 'string'));
        }
        return Psr17Factories::transport(
            $client,
            Check::nullable('request_factory', $given['request_factory'] ?? null, RequestFactoryInterface::class),
            Check::nullable('stream_factory', $given['stream_factory'] ?? null, StreamFactoryInterface::class),
        );
    }

    /** The variable as the process has it, or as a framework that reads a .env file put it into $_ENV or $_SERVER. */
    private static function environment(string $name): ?string
    {
        foreach ([getenv($name), $_ENV[$name] ?? null, $_SERVER[$name] ?? null] as $value) {
            if (is_string($value) && $value !== '') {
                return $value;
            }
        }
        return null;
    }
}
