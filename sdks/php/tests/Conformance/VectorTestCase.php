<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Client;
use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\InnoAIException;
use InnoAI\Tests\Support\Checkout;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\TestCase;
use PHPUnit\Runner\BaseTestRunner;

/** A test that runs once a case of a file of vectors; sdks/conformance/README.md says what their members mean. */
abstract class VectorTestCase extends TestCase
{
    protected const KEY = 'sk-inno-conformance';

    /** Name of the file, and of the suite in the table of results. */
    protected const SUITE = '';

    protected function tearDown(): void
    {
        Results::add(static::SUITE, (string) $this->dataName(), $this->hasPassed());
    }

    private function hasPassed(): bool
    {
        // PHPUnit 10 and later.
        if (method_exists($this, 'status')) {
            return $this->status()->isSuccess();
        }
        return $this->getStatus() === BaseTestRunner::STATUS_PASSED;
    }

    public static function tearDownAfterClass(): void
    {
        Results::write();
    }

    /**
     * @param list<string> $having members of which a case has to have one; none: all cases
     * @return array<string, array{array<string, mixed>}>
     */
    protected static function vectors(string $member = 'cases', array $having = []): array
    {
        $text = (string) file_get_contents(Checkout::path('sdks/conformance/' . static::SUITE . '.json'));
        $sets = [];
        $objects = json_decode($text, false, 512, JSON_THROW_ON_ERROR)->{$member};
        foreach (json_decode($text, true, 512, JSON_THROW_ON_ERROR)[$member] as $number => $case) {
            // As it stands there: an array would make a list of an empty object.
            $case['script'] = $objects[$number]->script ?? null;
            if ($having === [] || array_intersect($having, array_keys($case)) !== []) {
                $sets[$case['name']] = [$case];
            }
        }
        return $sets;
    }

    /**
     * @param array<string, mixed> $case
     * @param array<string, mixed> $options
     */
    protected static function client(array $case, array $options = []): Client
    {
        return new Client([
            'api_key' => self::KEY,
            'base_url' => ScriptedServer::shared()->baseUrl,
            'max_retries' => $case['max_retries'] ?? 2,
            ...$options,
        ]);
    }

    /**
     * Make the case's call.
     *
     * @param array<string, mixed> $case
     */
    protected static function call(Client $client, array $case): mixed
    {
        $text = $case['text'] ?? null;
        $options = isset($case['idempotency_key']) ? ['idempotency_key' => $case['idempotency_key']] : [];
        $chat = ['model' => 'm', 'messages' => [['role' => 'user', 'content' => $text ?? 'Hello']]];
        return match ($case['call']) {
            'validate' => $client->auth->validate(),
            'keys.list' => $client->keys->list(),
            'keys.create' => $client->keys->create(['name' => 'ci', 'level' => 'read'], $options),
            'keys.revoke' => $client->keys->revoke('key_1'),
            'customers.create' => $client->customers->create([
                'customer_id' => 'customer-123',
                'name' => $text ?? 'Ada',
            ]),
            'chat' => $client->chat->completions->create($chat),
            'chat.stream' => $client->chat->completions->create([...$chat, 'stream' => true])->text(),
        };
    }

    /**
     * What the call threw, if it is one of the client's exceptions.
     *
     * @param array<string, mixed> $case
     */
    protected static function outcome(Client $client, array $case): ?InnoAIException
    {
        try {
            self::call($client, $case);
        } catch (InnoAIException $problem) {
            return $problem;
        }
        return null;
    }

    protected static function assertOutcome(string $expected, ?InnoAIException $problem): void
    {
        if ($expected === 'ok') {
            self::assertNull($problem, (string) $problem);
            return;
        }
        $class = $expected === 'connection' ? APIConnectionError::class : "InnoAI\\Exception\\{$expected}";
        self::assertInstanceOf($class, $problem);
    }
}
