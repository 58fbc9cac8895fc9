<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Enum\GroupBy;
use InnoAI\Enum\Level;
use InnoAI\Exception\InvalidArgument;
use PHPUnit\Framework\Attributes\DataProvider;

/** What goes out for what was passed. */
final class ParamsTest extends ScriptedTestCase
{
    public function testEnumsDatesAmountsAndEmptyMapsAreWrittenAsTheApiHasThem(): void
    {
        self::script(['POST /v1/keys' => [['status' => 201, 'json' => ['id' => 'key_1']]]]);
        self::client()->keys->create([
            'name' => 'a',
            'level' => Level::Write,
            'rate_limit' => null,
            'expires_at' => new \DateTimeImmutable('2027-01-02 03:04:05.25', new \DateTimeZone('+02:00')),
            'budgets' => ['monthly' => 20, 'total' => null],
            'metadata' => [],
        ]);
        self::assertSame(
            '{"name":"a","level":"write","expires_at":"2027-01-02T01:04:05.250000Z",'
            . '"budgets":{"monthly":"20","total":null},"metadata":{}}',
            self::seen()[0]['body'],
        );
    }

    public function testNullIsLeftOutWhenCreatingAndSentWhenChanging(): void
    {
        $customer = ['json' => ['id' => 'cus_1']];
        self::script(['POST /v1/customers' => [$customer], 'PATCH /v1/customers/a%2Fb' => [$customer]]);
        $client = self::client();
        $client->customers->create(['customer_id' => 'a/b', 'name' => null]);
        $client->customers->update('a/b', ['name' => null]);
        $client->customers->update('a/b', []);
        self::assertSame(['{"customer_id":"a/b"}', '{"name":null}', '{}'], array_column(self::seen(), 'body'));
    }

    public function testAQueryHasListsWithCommasAndNothingThatIsNull(): void
    {
        $page = ['data' => [], 'from' => '2026-11-01T00:00:00Z', 'to' => '2026-12-01T00:00:00Z', 'currency' => 'USD'];
        self::script(['GET /v1/billing/usage' => [['json' => $page]]]);
        self::client()->billing->usage([
            'group_by' => [GroupBy::Day, 'model'],
            'from' => new \DateTime('2026-11-01T00:00:00Z'),
            'customer_id' => 'ä b&c',
            'model' => null,
        ]);
        self::assertSame(
            'group_by=day%2Cmodel&from=2026-11-01T00%3A00%3A00Z&customer_id=%C3%A4%20b%26c',
            self::seen()[0]['query'],
        );
    }

    /** @dataProvider unsendable */
    #[DataProvider('unsendable')]
    public function testWhatCannotBeMeantIsNotSent(callable $call, string $said): void
    {
        self::script([]);
        try {
            $call(self::client());
            self::fail('It was sent.');
        } catch (InvalidArgument $problem) {
            self::assertStringContainsString($said, $problem->getMessage());
        }
        self::assertSame([], self::seen());
    }

    /** @return array<string, array{callable, string}> */
    public static function unsendable(): array
    {
        return [
            'a float of money' => [
                static fn ($client) => $client->keys->create(['name' => 'a', 'budgets' => ['monthly' => 0.1]]),
                'float',
            ],
            'one text for a list' => [
                static fn ($client) => $client->keys->create(['name' => 'a', 'scopes' => 'inference:read']),
                'scopes is a list',
            ],
            'a list for a map' => [
                static fn ($client) => $client->customers->update('a', ['metadata' => ['b']]),
                'metadata',
            ],
            'no names' => [static fn ($client) => $client->keys->create(['a']), 'by name'],
            'an empty id' => [static fn ($client) => $client->keys->get(''), 'key_id'],
            'an id that leaves its place' => [static fn ($client) => $client->customers->delete('..'), 'customer_id'],
            'a key for its id' => [static fn ($client) => $client->keys->get('sk-inno-abc'), 'not its id'],
            'text that is no UTF-8' => [
                static fn ($client) => $client->chat->completions->create(['model' => "\xff", 'messages' => []]),
                'JSON',
            ],
            'an idempotency key with a space' => [
                static fn ($client) => $client->keys->create(['name' => 'a'], ['idempotency_key' => 'a b']),
                'idempotency_key',
            ],
            'a path that leaves its place' => [static fn ($client) => $client->request('GET', '/../healthz'), 'path'],
            'a path with a query' => [static fn ($client) => $client->request('GET', '/models?x=1'), 'path'],
        ];
    }

    public function testFloatsOfAConversationStayWhatTheyAre(): void
    {
        self::script(['POST /v1/chat/completions' => [['json' => self::COMPLETION]]]);
        $params = [...self::CHAT, 'temperature' => 1.0, 'top_p' => 0.1, 'metadata' => new \stdClass()];
        self::client()->chat->completions->create($params);
        $body = self::seen()[0]['body'];
        self::assertStringContainsString('"temperature":1.0,"top_p":0.1,"metadata":{}', $body);
    }
}
