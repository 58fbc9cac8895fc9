<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Audit\BrokenLink;
use InnoAI\Audit\Head;
use InnoAI\Audit\Log;
use InnoAI\Audit\Verified;
use InnoAI\Audit\Why;
use InnoAI\Exception\InvalidArgument;
use InnoAI\Tests\Support\Checkout;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** The example of the documentation: four entries with text that is easily written otherwise. */
final class AuditLogTest extends TestCase
{
    public function testTheExampleIsWhole(): void
    {
        $verdict = Log::verify(self::lines());
        self::assertInstanceOf(Verified::class, $verdict);
        self::assertSame(4, $verdict->head->sequence);
        $heads = [$verdict->head, new Head(2, self::hash(2))];
        self::assertEquals($verdict, Log::verify([...self::lines(), "\n"], $heads));
    }

    public function testItIsTheContentThatCountsAndNotHowItIsWritten(): void
    {
        $pretty = static fn (string $line): string => (string) json_encode(json_decode($line));
        self::assertInstanceOf(Verified::class, Log::verify(array_map($pretty, self::lines())));
    }

    /** @dataProvider broken */
    #[DataProvider('broken')]
    public function testTheFirstBrokenLinkIsNamed(callable $break, int $sequence, Why $why): void
    {
        $verdict = Log::verify($break(self::lines()));
        self::assertInstanceOf(BrokenLink::class, $verdict);
        self::assertSame([$sequence, $why], [$verdict->sequence, $verdict->why]);
    }

    /** @return array<string, array{callable, int, Why}> */
    public static function broken(): array
    {
        $spoil = static function (string $from, string $to): callable {
            return static function (array $lines) use ($from, $to): array {
                $lines[1] = str_replace($from, $to, $lines[1], $count);
                self::assertGreaterThan(0, $count);
                return $lines;
            };
        };
        return [
            'another content' => [$spoil('"ten"', '"Ten"'), 2, Why::ContentChanged],
            'an empty object for null' => [$spoil('"rate_limit":null', '"rate_limit":{}'), 2, Why::ContentChanged],
            'an empty list for null' => [$spoil('"rate_limit":null', '"rate_limit":[]'), 2, Why::ContentChanged],
            'a number for a text' => [$spoil('"ten"', '10'), 2, Why::ContentChanged],
            'one is missing' => [static fn (array $lines) => [$lines[0], $lines[2]], 2, Why::EntryMissing],
            'one comes twice' => [static fn (array $lines) => [$lines[0], $lines[0]], 2, Why::LinkBroken],
            'the first is missing' => [static fn (array $lines) => [$lines[1]], 1, Why::EntryMissing],
        ];
    }

    public function testAHeadThatIsNotReachedOrAnotherOneIsABreak(): void
    {
        $lines = self::lines();
        self::assertEquals(new BrokenLink(9, null, Why::HeadNotReached), Log::verify($lines, [new Head(9, 'x')]));
        $verdict = Log::verify($lines, [new Head(3, str_repeat('0', 64))]);
        self::assertInstanceOf(BrokenLink::class, $verdict);
        self::assertSame([3, Why::HeadNotReached], [$verdict->sequence, $verdict->why]);
    }

    /** @dataProvider unreadable */
    #[DataProvider('unreadable')]
    public function testWhatIsNoEntryIsRefused(string $line): void
    {
        $this->expectException(InvalidArgument::class);
        Log::verify([$line]);
    }

    /** @return array<string, array{string}> */
    public static function unreadable(): array
    {
        return [
            'text' => ['no'],
            'a list' => ['[]'],
            'a member twice' => ['{"sequence":1,"a":{"b":1,"b":2}}'],
            'a member twice, written otherwise' => ['{"a":1,"\u0061" : 2}'],
        ];
    }

    public function testAColonInATextIsNoMember(): void
    {
        $verdict = Log::verify(['{"sequence":1,"a":"\"b\": 1","c":["d:"]}']);
        self::assertInstanceOf(BrokenLink::class, $verdict);
        self::assertSame(Why::ContentChanged, $verdict->why);
    }

    /** @return list<string> */
    private static function lines(): array
    {
        return file(Checkout::path('docs/audit-example.jsonl'), FILE_IGNORE_NEW_LINES) ?: [];
    }

    private static function hash(int $sequence): string
    {
        return json_decode(self::lines()[$sequence - 1])->hash;
    }
}
