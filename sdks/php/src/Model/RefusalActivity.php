<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Requests that were refused alike. */
final class RefusalActivity extends Model
{
    public readonly string $code;
    public readonly string $message;
    public readonly string $method;
    public readonly string $path;
    public readonly ?string $required_scope;
    public readonly ?string $address;
    public readonly ?string $model;
    public readonly int $requests;
    public readonly \DateTimeImmutable $last_at;
}
