<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Requests that were alike. */
final class PreviewExample extends Model
{
    public readonly string $method;
    public readonly string $path;
    public readonly ?string $address;
    public readonly ?string $model;
    public readonly int $requests;
    public readonly \DateTimeImmutable $last_at;
}
