<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Model\EmbeddingList;

/** Texts as vectors. */
final class Embeddings extends Resource
{
    /**
     * Turn a text, or several, into vectors.
     *
     * @param array{model: string, input: string|list<string>, encoding_format?: 'float'|'base64', ...} $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function create(array $params, array $options = []): EmbeddingList
    {
        return EmbeddingList::from($this->sender->object(Call::infer('/embeddings', $params, $options)));
    }
}
