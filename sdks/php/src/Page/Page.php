<?php

declare(strict_types=1);

namespace InnoAI\Page;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Model\Model;

/**
 * A page of a list. `data` is this page, `next_cursor` names the next one; `foreach ($page as $item)` walks this page
 * and all pages after it, each fetched when its turn comes.
 *
 * @template T of Model
 * @implements \IteratorAggregate<int, T>
 */
class Page implements \IteratorAggregate, \JsonSerializable
{
    /** @var list<T> */
    public readonly array $data;
    public readonly ?string $next_cursor;
    private readonly Listing $listing;

    /** @param array<string, mixed> $answer */
    final private function __construct(Listing $listing, #[\SensitiveParameter] array $answer)
    {
        $data = $answer['data'] ?? null;
        if (!is_array($data) || array_filter($data, 'is_array') !== $data) {
            throw new UnreadableAnswer('A page of a list came without its items.');
        }
        $cursor = $answer['next_cursor'] ?? null;
        $this->listing = $listing;
        $this->data = array_map($listing->item::from(...), array_values($data));
        $this->next_cursor = is_string($cursor) ? $cursor : null;
        $this->describe($answer);
    }

    final public static function first(Listing $listing): static
    {
        return new static($listing, $listing->fetch());
    }

    /** The page after this one; null behind the last. */
    final public function next(): ?static
    {
        return $this->next_cursor === null
            ? null
            : new static($this->listing, $this->listing->fetch($this->next_cursor));
    }

    /** @return \Generator<int, T> */
    final public function getIterator(): \Generator
    {
        $number = 0;
        for ($page = $this; $page !== null; $page = $page->next()) {
            foreach ($page->data as $item) {
                yield $number++ => $item;
            }
        }
    }

    /** @return array<string, mixed> */
    final public function jsonSerialize(): array
    {
        return $this->__debugInfo();
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return ['data' => $this->data, 'next_cursor' => $this->next_cursor];
    }

    /** @return array<never, never> */
    final public function __serialize(): array
    {
        throw new \LogicException('A page is tied to its client and is not serialized: serialize its data.');
    }

    /**
     * What such a page says beside its items.
     *
     * @param array<string, mixed> $answer
     */
    protected function describe(#[\SensitiveParameter] array $answer): void
    {
    }
}
