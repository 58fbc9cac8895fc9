<?php

declare(strict_types=1);

namespace InnoAI\Http;

use InnoAI\Secret;

/**
 * One HTTP request. What it carries is secret as a whole: the credential is among the headers, tokens are in bodies.
 */
final class Request
{
    private readonly Secret $carried;

    /**
     * @param array<string, string> $headers by name
     * @param string|null $body null for none at all
     * @param float $silence seconds without a byte after which the connection counts as lost
     * @param bool $repeatable whether it may be sent twice without being done twice
     */
    public function __construct(
        public readonly string $method,
        public readonly string $url,
        #[\SensitiveParameter] array $headers,
        #[\SensitiveParameter] ?string $body,
        public readonly float $silence,
        public readonly float $connectTimeout,
        public readonly bool $repeatable,
    ) {
        $this->carried = new Secret(serialize([$headers, $body]));
    }

    /** @return array<string, string> */
    public function headers(): array
    {
        return $this->carried()[0];
    }

    public function body(): ?string
    {
        return $this->carried()[1];
    }

    /** @return array{method: string, url: string} */
    public function __debugInfo(): array
    {
        return ['method' => $this->method, 'url' => $this->url];
    }

    /** @return array{array<string, string>, string|null} */
    private function carried(): array
    {
        return unserialize($this->carried->reveal(), ['allowed_classes' => false]);
    }
}
