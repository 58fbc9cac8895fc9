<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A route, and the scope that it asks for; null where any live credential will do. */
final class Route extends Model
{
    public readonly string $method;
    public readonly string $path;
    public readonly ?string $scope;
}
