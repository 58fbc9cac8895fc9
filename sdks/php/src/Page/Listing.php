<?php

declare(strict_types=1);

namespace InnoAI\Page;

use InnoAI\Internal\Call;
use InnoAI\Internal\Sender;
use InnoAI\Model\Model;

/**
 * A list of the API: where its pages are.
 *
 * @internal
 */
final class Listing
{
    /**
     * @param class-string<Model> $item
     * @param array<string, mixed> $query
     * @param array<string, mixed> $options of the request
     */
    public function __construct(
        private readonly Sender $sender,
        private readonly string $path,
        public readonly string $item,
        private readonly array $query,
        private readonly array $options = [],
    ) {
    }

    /**
     * The page behind that cursor, or the first one, as it comes.
     *
     * @return array<string, mixed>
     */
    public function fetch(?string $cursor = null): array
    {
        $query = $cursor === null ? $this->query : [...$this->query, 'cursor' => $cursor];
        return $this->sender->object(Call::get($this->path, $query, $this->options));
    }

    /** @return array{path: string} */
    public function __debugInfo(): array
    {
        return ['path' => $this->path];
    }
}
