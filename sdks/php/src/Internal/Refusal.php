<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Enum\ErrorCode;
use InnoAI\Exception\APIStatusError;
use InnoAI\Exception\AuthenticationError;
use InnoAI\Exception\BadRequestError;
use InnoAI\Exception\ConflictError;
use InnoAI\Exception\InternalServerError;
use InnoAI\Exception\NotFoundError;
use InnoAI\Exception\PermissionDeniedError;
use InnoAI\Exception\RateLimitError;
use InnoAI\Exception\UnprocessableEntityError;
use InnoAI\Http\Response;

/**
 * Answers that are refusals, as exceptions.
 *
 * @internal
 */
final class Refusal
{
    private const BY_STATUS = [
        400 => BadRequestError::class,
        401 => AuthenticationError::class,
        403 => PermissionDeniedError::class,
        404 => NotFoundError::class,
        409 => ConflictError::class,
        422 => UnprocessableEntityError::class,
        429 => RateLimitError::class,
    ];

    /** The exception for a refusal with that body: the class of its code, else of its status. */
    public static function of(
        #[\SensitiveParameter] Response $response,
        #[\SensitiveParameter] string $body,
    ): APIStatusError {
        $decoded = Json::read($body);
        $envelope = is_array($decoded) ? $decoded['error'] ?? null : null;
        return self::fromEnvelope(is_array($envelope) ? $envelope : [], $response);
    }

    /** @param array<string, mixed> $members the object under `error` */
    public static function fromEnvelope(array $members, #[\SensitiveParameter] Response $response): APIStatusError
    {
        $message = $members['message'] ?? null;
        $class = self::kind($members['code'] ?? null, $response->status);
        return new $class(is_string($message) ? $message : self::sentence($response), $members, $response);
    }

    /** @return class-string<APIStatusError> */
    private static function kind(mixed $code, int $status): string
    {
        $known = is_string($code) ? ErrorCode::tryFrom($code) : null;
        if ($known !== null) {
            return $known->exception();
        }
        return self::BY_STATUS[$status] ?? ($status >= 500 ? InternalServerError::class : APIStatusError::class);
    }

    private static function sentence(#[\SensitiveParameter] Response $response): string
    {
        if ($response->status >= 300 && $response->status < 400) {
            return "The server redirects (HTTP {$response->status}), which innoai's API does not: "
                . 'look at base_url, which names the server and ends in /v1.';
        }
        return "The server answered with HTTP {$response->status}.";
    }
}
