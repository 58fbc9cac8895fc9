<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Who may do what. */
final class AccessMatrix extends Model
{
    public readonly string $object;
    /** @var list<Tier> The tiers. */
    #[ListOf(Tier::class)]
    public readonly array $data;
    /** @var list<ScopeDescription> */
    #[ListOf(ScopeDescription::class)]
    public readonly array $scopes;
    /** @var list<LevelScopes> */
    #[ListOf(LevelScopes::class)]
    public readonly array $levels;
    /** @var list<Route> */
    #[ListOf(Route::class)]
    public readonly array $routes;
}
