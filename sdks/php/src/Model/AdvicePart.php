<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** What of a bound was used, what was not, and what would do instead; null where nothing is advised. */
final class AdvicePart extends Model
{
    public readonly string $verdict;
    /** @var list<string> */
    public readonly array $used;
    /** @var list<string> */
    public readonly array $unused;
    /** @var list<string>|null */
    public readonly ?array $advised;
}
