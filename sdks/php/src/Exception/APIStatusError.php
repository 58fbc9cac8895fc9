<?php

declare(strict_types=1);

namespace InnoAI\Exception;

use InnoAI\Http\Response;

/**
 * A refusal. Its message is the server's sentence, its other members the envelope's:
 * `{"error": {"code", "message", "type", "param", "required_scope", "retry_after", "request_id"}}`.
 *
 * `getCode()` is the HTTP status, as PHP's codes are numbers; the server's code is `error_code`.
 */
class APIStatusError extends APIError
{
    /** The HTTP status. */
    public readonly int $status;

    /** The envelope's `code`, such as `rate_limit_exceeded`; null where the answer is not in the envelope. */
    public readonly ?string $error_code;

    /** The envelope's `type`, such as `rate_limit_error`. */
    public readonly ?string $type;

    /** The member of the request that is at fault. */
    public readonly ?string $param;

    /** The scope that would have allowed the request, on `insufficient_permissions`. */
    public readonly ?string $required_scope;

    /** Seconds to wait, on `rate_limit_exceeded` and wherever else the server names a wait. */
    public readonly ?int $retry_after;

    /** The id to quote to the operator, `req_…`. */
    public readonly ?string $request_id;

    /** @var array<string, mixed> All members of the envelope, those among them that this version does not know. */
    public readonly array $members;

    /** @param array<string, mixed> $members */
    final public function __construct(string $message, array $members, #[\SensitiveParameter] Response $response)
    {
        parent::__construct($message, $response->status);
        $this->status = $response->status;
        $this->members = $members;
        $this->error_code = self::text($members['code'] ?? null);
        $this->type = self::text($members['type'] ?? null);
        $this->param = self::text($members['param'] ?? null);
        $this->required_scope = self::text($members['required_scope'] ?? null);
        $this->retry_after = self::seconds($members['retry_after'] ?? $response->header('retry-after'));
        $this->request_id = $response->header('x-request-id') ?? self::text($members['request_id'] ?? null);
    }

    private static function text(mixed $value): ?string
    {
        return is_string($value) ? $value : null;
    }

    /** Whole seconds, from the envelope's number or the header's digits; the header's date form is not read. */
    private static function seconds(mixed $value): ?int
    {
        if (is_string($value) && preg_match('/\A\d{1,9}\z/', $value) === 1) {
            return (int) $value;
        }
        return is_int($value) ? $value : null;
    }
}
