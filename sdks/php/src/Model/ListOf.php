<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Says that a property is a list of models. */
#[\Attribute(\Attribute::TARGET_PROPERTY)]
final class ListOf
{
    /** @param class-string<Model> $class */
    public function __construct(public readonly string $class)
    {
    }
}
