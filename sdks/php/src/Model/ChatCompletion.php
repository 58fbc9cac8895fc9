<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** The answer to a conversation. */
final class ChatCompletion extends Model
{
    public readonly string $id;
    public readonly string $object;
    /** Seconds since the epoch. */
    public readonly int $created;
    public readonly string $model;
    /** @var list<Choice> */
    #[ListOf(Choice::class)]
    public readonly array $choices;
    public readonly ?TokenUsage $usage;
}
