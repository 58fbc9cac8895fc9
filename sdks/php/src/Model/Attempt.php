<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/** One attempt at a delivery: an answer with its status, or an error. */
final class Attempt extends Model
{
    public readonly int $number;
    public readonly DateTimeImmutable $at;
    public readonly float $duration_ms;
    /** @var array<string, string> */
    public readonly array $request_headers;
    public readonly ?int $status;
    /** @var array<string, string>|null */
    public readonly ?array $response_headers;
    public readonly ?string $response_body;
    public readonly ?string $error;
}
