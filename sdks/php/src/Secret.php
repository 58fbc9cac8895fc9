<?php

declare(strict_types=1);

namespace InnoAI;

/**
 * A text that no dump shows.
 *
 * The object has no properties: the text is in a map beside it, so that var_dump, print_r, var_export, casts to array,
 * json_encode and the arguments of a stack trace find nothing.
 */
final class Secret implements \JsonSerializable
{
    public const HIDDEN = '[hidden]';

    /** @var \WeakMap<self, string>|null */
    private static ?\WeakMap $texts = null;

    public function __construct(#[\SensitiveParameter] string $text)
    {
        self::$texts ??= new \WeakMap();
        self::$texts[$this] = $text;
    }

    /** The text itself. */
    public function reveal(): string
    {
        return (string) self::$texts[$this];
    }

    /** Whether both hold the same text; compared in constant time. */
    public function equals(self $other): bool
    {
        return hash_equals($this->reveal(), $other->reveal());
    }

    public function jsonSerialize(): string
    {
        return self::HIDDEN;
    }

    /** @return array{text: string} */
    public function __debugInfo(): array
    {
        return ['text' => self::HIDDEN];
    }

    /** @return array<never, never> */
    public function __serialize(): array
    {
        throw new \LogicException('A secret is not serialized: it would be readable wherever it is stored.');
    }

    /** @param array<mixed> $data */
    public function __unserialize(array $data): void
    {
        throw new \LogicException('A secret is not serialized.');
    }

    private function __clone()
    {
    }
}
