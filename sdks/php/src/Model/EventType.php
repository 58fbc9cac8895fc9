<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A type of event. */
final class EventType extends Model
{
    public readonly string $type;
    public readonly string $description;
    /** @var array<string, mixed> JSON Schema of a whole event */
    public readonly array $schema;
    /** @var array<string, mixed> */
    public readonly array $example;
}
