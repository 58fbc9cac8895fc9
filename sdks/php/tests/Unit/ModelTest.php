<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Model\ApiKey;
use InnoAI\Model\ChatCompletionChunk;
use InnoAI\Model\Model;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** Answers of this server, of newer ones, and of model servers with ideas of their own. */
final class ModelTest extends TestCase
{
    public function testMembersHaveTheirTypes(): void
    {
        $key = ApiKey::from([
            'id' => 'key_1',
            'scopes' => ['inference:read'],
            'rate_limit' => 1000,
            'created_at' => '2026-11-24T22:07:02.5Z',
            'budgets' => ['monthly' => '0.10', 'total' => null],
        ]);
        self::assertSame('2026-11-24T22:07:02.500000+00:00', $key->created_at->format('Y-m-d\TH:i:s.uP'));
        self::assertSame('0.10', $key->budgets?->monthly);
        self::assertNull($key->expires_at);
    }

    public function testAMemberThatThisVersionDoesNotKnowIsReadAsAnyOther(): void
    {
        $key = ApiKey::from(['id' => 'key_1', 'colour' => ['name' => 'blue'], 'nothing' => null]);
        self::assertSame(['name' => 'blue'], $key->colour);
        self::assertSame([true, false, false], [isset($key->colour), isset($key->nothing), isset($key->shape)]);
        self::assertSame(['id' => 'key_1', 'colour' => ['name' => 'blue'], 'nothing' => null], $key->toArray());
        self::assertSame('{"id":"key_1","colour":{"name":"blue"},"nothing":null}', json_encode($key));
    }

    /** @dataProvider unfitting */
    #[DataProvider('unfitting')]
    public function testWhatDoesNotFitIsAnErrorWhenItIsReadAndNotBefore(Model $answer, string $name, string $said): void
    {
        self::assertSame('x', $answer->id);
        $this->expectException(UnreadableAnswer::class);
        $this->expectExceptionMessage($said);
        self::assertNull($answer->{$name});
    }

    /** @return array<string, array{Model, string, string}> */
    public static function unfitting(): array
    {
        $chunk = ChatCompletionChunk::from(['id' => 'x', 'created' => 1.5, 'choices' => ['text'], 'usage' => 'none']);
        $key = ApiKey::from(['id' => 'x', 'created_at' => 'soon', 'rate_limit' => '7']);
        return [
            'a number with a point' => [$chunk, 'created', "member 'created' is of another type"],
            'a list of something else' => [$chunk, 'choices', 'of another type'],
            'a text for an object' => [$chunk, 'usage', 'of another type'],
            'nothing' => [$chunk, 'model', "member 'model' is missing"],
            'no moment' => [$key, 'created_at', 'of another type'],
            'a text for a number' => [$key, 'rate_limit', 'of another type'],
        ];
    }

    public function testAMemberThatNobodyKnowsIsNullWithAWarning(): void
    {
        $said = null;
        set_error_handler(static function (int $level, string $message) use (&$said): bool {
            $said = [$level, $message];
            return true;
        });
        try {
            self::assertNull(ApiKey::from(['id' => 'key_1'])->colour);
        } finally {
            restore_error_handler();
        }
        self::assertSame([E_USER_WARNING, ApiKey::class . ": the answer has no member 'colour'"], $said);
    }

    public function testAnAnswerIsReadOnly(): void
    {
        $this->expectException(\Error::class);
        ApiKey::from(['id' => 'key_1'])->id = 'key_2';
    }

    public function testAnAnswerIsSerializedWithoutItsSecret(): void
    {
        $key = unserialize(serialize(ApiKey::from(['id' => 'key_1', 'rate_limit' => 5, 'key' => 'sk-inno-x'])));
        self::assertSame(['key_1', 5, null], [$key->id, $key->rate_limit, $key->key]);
    }
}
