<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A route that the key asked for. `required_scope`: what another service asked for beside it. */
final class RouteActivity extends Model
{
    public readonly string $method;
    public readonly string $path;
    public readonly ?string $scope;
    public readonly ?string $required_scope;
    public readonly int $allowed;
    public readonly int $refused;
    public readonly \DateTimeImmutable $last_at;
}
