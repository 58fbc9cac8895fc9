<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Vectors in the order of the texts. */
final class EmbeddingList extends Model
{
    public readonly string $object;
    /** @var list<Embedding> */
    #[ListOf(Embedding::class)]
    public readonly array $data;
    public readonly string $model;
    public readonly ?TokenUsage $usage;
}
