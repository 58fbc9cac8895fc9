<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Concurrency\Waiting;
use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\APITimeoutError;
use InnoAI\Exception\InvalidApiKey;
use InnoAI\Exception\TokenExpired;
use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Http\Failure;
use InnoAI\Http\Request;
use InnoAI\Http\Response;
use InnoAI\Http\TransportFailure;
use InnoAI\Secret;
use InnoAI\Token\Grant;
use InnoAI\Token\TokenEndpoint;
use InnoAI\Token\TokenKeeper;
use InnoAI\Version;

/**
 * The one way out: puts address and credential to a call, repeats it where that is safe, and turns refusals into
 * exceptions.
 *
 * @internal
 */
final class Sender
{
    private readonly ?TokenKeeper $keeper;

    public function __construct(private readonly Options $options)
    {
        $narrowed = $options->customerId !== null || $options->scopes !== null;
        $this->keeper = $narrowed
            ? new TokenKeeper(new Grant($options->customerId, $options->scopes, $options->tokenLifetime))
            : null;
    }

    /**
     * The JSON object that a call brings.
     *
     * @return array<string, mixed>
     */
    public function object(Call $call): array
    {
        $text = $this->send($call, static fn (#[\SensitiveParameter] Response $response): string => $response->text());
        return Json::readObject($text) ?? throw self::unreadable($call, 'something else than a JSON object');
    }

    /** Make a call that answers nothing: status 204, or `{}` to a revocation by secret. */
    public function run(Call $call): void
    {
        $this->send($call, static function (#[\SensitiveParameter] Response $response) use ($call): bool {
            $object = Json::readObject($response->text());
            $done = $response->status === 204 || ($call->method === 'POST' && $object !== null);
            return $done ?: throw self::unreadable($call, "HTTP {$response->status} with something else than innoai's");
        });
    }

    /** Make a call, and leave its body to be read. */
    public function open(Call $call): Response
    {
        return $this->send($call, static function (#[\SensitiveParameter] Response $response) use ($call): Response {
            if (str_starts_with(strtolower($response->header('content-type') ?? ''), 'text/html')) {
                $response->close();
                throw self::unreadable($call, 'a web page');
            }
            return $response;
        });
    }

    private static function unreadable(Call $call, string $what): UnreadableAnswer
    {
        $asked = "{$call->method} {$call->path}";
        return new UnreadableAnswer("{$asked} brought {$what}: look at base_url, which ends in /v1.");
    }

    /** The error for a connection that failed. */
    public static function connectionError(TransportFailure $failure): APIConnectionError
    {
        return $failure->failure === Failure::TimedOut
            ? new APITimeoutError($failure->getMessage())
            : new APIConnectionError($failure->getMessage());
    }

    /**
     * A token that is refused with 401 is replaced, and the call made once more.
     *
     * @template T
     * @param \Closure(Response): T $read what is taken from the answer; if that fails, the call has failed
     * @return T
     */
    private function send(Call $call, \Closure $read): mixed
    {
        $bearer = null;
        try {
            return $this->attempts($call, $read, $bearer);
        } catch (InvalidApiKey | TokenExpired $refusal) {
            if ($call->credential !== Credential::OfClient || $this->keeper?->issued($bearer) !== true) {
                throw $refusal;
            }
        }
        $this->keeper->token($this->endpoint(), $bearer);
        return $this->attempts($call, $read, $bearer);
    }

    /**
     * @template T
     * @param \Closure(Response): T $read
     * @param Secret|null $bearer what the last attempt was authorized by
     * @return T
     */
    private function attempts(Call $call, \Closure $read, ?Secret &$bearer): mixed
    {
        $retries = $call->maxRetries ?? $this->options->maxRetries;
        for ($retry = 0;; $retry++) {
            $bearer = $this->bearer($call->credential);
            $response = null;
            try {
                $response = $this->options->transport->send($this->request($call, $bearer));
                if ($response->status >= 200 && $response->status < 300) {
                    return $read($response);
                }
            } catch (TransportFailure $failure) {
                if ($retry >= $retries || !$failure->failure->allowsRepetition($call->repeatable)) {
                    throw self::connectionError($failure);
                }
                Waiting::sleep(Backoff::pause($retry, null));
                continue;
            }
            if ($retry >= $retries || !Backoff::repeats($response, $call->repeatable)) {
                throw Refusal::of($response, self::bodyOf($response));
            }
            self::bodyOf($response);
            Waiting::sleep(Backoff::pause($retry, $response));
        }
    }

    private function bearer(Credential $credential): ?Secret
    {
        return match ($credential) {
            Credential::OfClient => $this->keeper?->token($this->endpoint()) ?? $this->options->apiKey,
            Credential::Key => $this->options->apiKey,
            Credential::None => null,
        };
    }

    private function endpoint(): TokenEndpoint
    {
        return new TokenEndpoint($this);
    }

    private function request(Call $call, ?Secret $bearer): Request
    {
        $headers = ['Accept' => 'application/json', 'User-Agent' => self::agent()];
        foreach ([...$this->options->headers, ...$call->headers] as $name => $value) {
            $headers = self::without($name, $headers);
            $headers[$name] = $value->reveal();
        }
        if ($bearer !== null) {
            $headers = self::without('Authorization', $headers);
            $headers['Authorization'] = 'Bearer ' . $bearer->reveal();
        }
        if ($call->body !== null) {
            $headers = self::without('Content-Type', $headers);
            $headers['Content-Type'] = 'application/json';
        }
        return new Request(
            $call->method,
            $this->options->baseUrl . $call->path,
            $headers,
            $call->body?->reveal(),
            $call->timeout ?? $this->options->timeout,
            $this->options->connectTimeout,
            $call->repeatable,
        );
    }

    /**
     * The headers but for that one, in whatever case it is written.
     *
     * @param array<string, string> $headers
     * @return array<string, string>
     */
    private static function without(string $name, #[\SensitiveParameter] array $headers): array
    {
        return array_filter(
            $headers,
            static fn (string $other): bool => strcasecmp($other, $name) !== 0,
            ARRAY_FILTER_USE_KEY,
        );
    }

    /** What a refusal says; nothing where the connection broke, as its status says enough. */
    private static function bodyOf(#[\SensitiveParameter] Response $response): string
    {
        try {
            return $response->text();
        } catch (TransportFailure) {
            return '';
        }
    }

    private static function agent(): string
    {
        return 'innoai-php/' . Version::NUMBER . ' PHP/' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION;
    }
}
