<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What a key did in whole hours. `peak_minute`: requests of the busiest minute. */
final class KeyActivity extends Model
{
    public readonly string $object;
    public readonly string $key_id;
    public readonly \DateTimeImmutable $from;
    public readonly \DateTimeImmutable $to;
    public readonly int $kept_days;
    public readonly int $allowed;
    public readonly int $refused;
    public readonly ?int $peak_minute;
    /** @var list<ActivityHour> */
    #[ListOf(ActivityHour::class)]
    public readonly array $hours;
    /** @var list<RouteActivity> */
    #[ListOf(RouteActivity::class)]
    public readonly array $routes;
    /** @var list<AddressActivity> */
    #[ListOf(AddressActivity::class)]
    public readonly array $addresses;
    /** @var list<ModelActivity> */
    #[ListOf(ModelActivity::class)]
    public readonly array $models;
    /** @var list<RefusalActivity> */
    #[ListOf(RefusalActivity::class)]
    public readonly array $refusals;
}
