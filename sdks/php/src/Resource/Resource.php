<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Sender;

/** A part of the API, reached through a client. */
abstract class Resource
{
    final public function __construct(protected readonly Sender $sender)
    {
    }

    /** @return array<never, never> */
    final public function __debugInfo(): array
    {
        return [];
    }
}
