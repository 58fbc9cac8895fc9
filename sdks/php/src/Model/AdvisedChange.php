<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What to give to `keys->update`; what is null stays as it is. */
final class AdvisedChange extends Model
{
    /** @var list<string>|null */
    public readonly ?array $scopes;
    /** @var list<string>|null */
    public readonly ?array $allowed_ips;
    /** @var list<string>|null */
    public readonly ?array $models;
    public readonly ?int $rate_limit;
}
