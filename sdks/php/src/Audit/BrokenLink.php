<?php

declare(strict_types=1);

namespace InnoAI\Audit;

/** The first entry that does not fit. */
final class BrokenLink
{
    /** @param string|null $id null where there is no such entry */
    public function __construct(
        public readonly int $sequence,
        public readonly ?string $id,
        public readonly Why $why,
    ) {
    }
}
