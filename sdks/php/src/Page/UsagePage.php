<?php

declare(strict_types=1);

namespace InnoAI\Page;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Model\Model;

/**
 * A page of usage: from `from` until `to`, costs in `currency`.
 *
 * @template T of Model
 * @extends Page<T>
 */
final class UsagePage extends Page
{
    public readonly \DateTimeImmutable $from;
    public readonly \DateTimeImmutable $to;
    public readonly string $currency;

    protected function describe(#[\SensitiveParameter] array $answer): void
    {
        $this->from = self::moment($answer['from'] ?? null);
        $this->to = self::moment($answer['to'] ?? null);
        $this->currency = is_string($answer['currency'] ?? null) ? $answer['currency'] : '';
    }

    private static function moment(mixed $text): \DateTimeImmutable
    {
        $moment = is_string($text) && $text !== '' ? date_create_immutable($text) : false;
        return $moment ?: throw new UnreadableAnswer('A page of usage came without its time.');
    }

    public function __debugInfo(): array
    {
        return [...parent::__debugInfo(), 'from' => $this->from, 'to' => $this->to, 'currency' => $this->currency];
    }
}
