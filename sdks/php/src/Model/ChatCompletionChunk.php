<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A piece of the answer to a conversation. */
final class ChatCompletionChunk extends Model
{
    public readonly string $id;
    public readonly string $object;
    /** Seconds since the epoch. */
    public readonly int $created;
    public readonly string $model;
    /** @var list<ChunkChoice> */
    #[ListOf(ChunkChoice::class)]
    public readonly array $choices;
    /** In the last piece, if it was asked for by `stream_options`. */
    public readonly ?TokenUsage $usage;
}
