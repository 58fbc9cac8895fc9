<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Enum\KeyStatus;
use InnoAI\Enum\Level;
use InnoAI\Enum\Role;
use InnoAI\Enum\Scope;
use InnoAI\Exception\Conflict;
use InnoAI\Exception\InsufficientPermissions;
use InnoAI\Exception\InvalidApiKey;
use InnoAI\Exception\InvalidRequest;
use InnoAI\Exception\NotFound;
use InnoAI\Exception\RateLimitExceeded;
use InnoAI\Model\DecidedRequest;
use InnoAI\Tests\Support\InnoaiServer;

/** Keys, customers, members, and what is said of credentials. */
final class AccountTest extends ServerTestCase
{
    public function testKeysLiveTheirWholeLife(): void
    {
        $made = $this->client->keys->create([
            'name' => 'PHP',
            'scopes' => [Scope::InferenceRead, 'inference:write'],
            'allowed_ips' => ['127.0.0.0/8'],
            'rate_limit' => 500,
            'expires_at' => new \DateTimeImmutable('2099-01-01 08:00', new \DateTimeZone('Asia/Manila')),
            'models' => [InnoaiServer::MODEL],
            'budgets' => ['monthly' => '20.5'],
        ]);
        self::assertStringStartsWith('sk-inno-', (string) $made->key);
        $shown = $this->client->keys->get($made->id);
        self::assertSame(['PHP', 500, ['127.0.0.0/8']], [$shown->name, $shown->rate_limit, $shown->allowed_ips]);
        self::assertSame('2099-01-01T00:00:00+00:00', $shown->expires_at?->format(DATE_ATOM));
        self::assertSame(['20.5', null], [$shown->budgets?->monthly, $shown->budgets?->total]);
        self::assertNull($shown->key ?? null);
        $changed = $this->client->keys->update($made->id, ['name' => 'PHP 2', 'models' => null, 'expires_at' => null]);
        self::assertSame(['PHP 2', null, null], [$changed->name, $changed->models, $changed->expires_at]);
        $successor = $this->client->keys->rotate($made->id, ['overlap' => 0]);
        self::assertSame($made->id, $successor->rotated_from);
        $new = $this->client->with(['api_key' => $successor->key]);
        self::assertSame(500, $new->auth->validate()->rate_limit);
        $activity = $this->client->keys->activity($successor->id, ['from' => new \DateTimeImmutable('-1 day')]);
        self::assertSame([$successor->id, 0], [$activity->key_id, $activity->refused]);
        $advice = $this->client->keys->advice($successor->id, ['days' => 7]);
        self::assertSame([7, 500], [$advice->days, $advice->rate_limit->current]);
        $preview = $this->client->keys->preview($successor->id, ['rate_limit' => 5, 'allowed_ips' => ['192.0.2.0/24']]);
        self::assertSame([1, $successor->id], [$preview->refused, $preview->key_id]);
        self::assertSame(['ip_not_allowed'], array_column($preview->reasons, 'code'));
        foreach ($this->client->billing->top(['by' => 'customer', 'limit' => 5]) as $used) {
            self::assertNull($used->key_id);
        }
        $this->client->keys->revoke($successor->id);
        self::assertSame('revoked', $this->client->keys->get($successor->id)->status);
        $this->expectException(InvalidApiKey::class);
        $new->auth->validate();
    }

    public function testRefusalsAreToldAsTheyHappenAndKept(): void
    {
        $key = $this->client->keys->create(['name' => 'Refused', 'scopes' => ['inference:read']]);
        $weak = $this->client->with(['api_key' => $key->key]);
        $heard = null;
        $this->client->concurrently([
            function () use ($key, &$heard): void {
                foreach ($this->client->requests->stream(['key_id' => $key->id, 'only' => 'refused']) as $news) {
                    $heard = $news;
                    return;
                }
            },
            static function () use ($weak, &$heard): void {
                while ($heard === null) {
                    try {
                        $weak->keys->list();
                        self::fail('It was admitted.');
                    } catch (InsufficientPermissions) {
                        // As it has to be.
                    }
                }
            },
        ]);
        self::assertInstanceOf(DecidedRequest::class, $heard);
        [$kept] = $this->client->requests->refusals(['key_id' => $key->id, 'limit' => 1])->data;
        foreach ([$heard, $kept] as $refused) {
            self::assertSame([false, 'insufficient_permissions'], [$refused->allowed, $refused->code]);
            $outcomes = array_column($refused->checks, 'outcome', 'name');
            self::assertSame(['passed', 'refused'], [$outcomes['network'], $outcomes['scope']]);
        }
    }

    public function testAListIsWalkedThroughAllItsPages(): void
    {
        $made = array_map(
            fn (int $number): string => $this->client->keys->create(['name' => "Paged {$number}"])->id,
            range(1, 5),
        );
        $page = $this->client->keys->list(['limit' => 2, 'status' => KeyStatus::Active]);
        self::assertCount(2, $page->data);
        self::assertNotNull($page->next_cursor);
        $walked = array_map(static fn ($key): string => $key->id, iterator_to_array($page));
        self::assertSame([], array_diff($made, $walked));
        self::assertSame($walked, array_unique($walked));
    }

    public function testAnIdempotencyKeyMakesOneKeyOfTwoCreates(): void
    {
        $options = ['idempotency_key' => self::unique('once')];
        $first = $this->client->keys->create(['name' => 'Once', 'level' => Level::Read], $options);
        $second = $this->client->keys->create(['name' => 'Once', 'level' => Level::Read], $options);
        self::assertSame([$first->id, $first->key], [$second->id, $second->key]);
        $this->expectException(Conflict::class);
        $this->client->keys->create(['name' => 'Another'], $options);
    }

    public function testCustomersLiveTheirWholeLife(): void
    {
        $id = self::unique('php');
        $customer = ['customer_id' => $id, 'name' => 'One', 'metadata' => ['plan' => 'a']];
        $made = $this->client->customers->create($customer);
        self::assertStringStartsWith('cus_', $made->id);
        $changed = $this->client->customers->update($id, ['name' => null, 'disabled' => true, 'metadata' => []]);
        self::assertSame([null, true, []], [$changed->name, $changed->disabled, $changed->metadata]);
        self::assertEquals($this->client->customers->get($id)->updated_at, $changed->updated_at);
        $all = array_map(static fn ($one) => $one->customer_id, iterator_to_array($this->client->customers->list()));
        self::assertContains($id, $all);
        $this->client->customers->delete($id);
        $this->expectException(NotFound::class);
        $this->client->customers->get($id);
    }

    public function testMembersLiveTheirWholeLife(): void
    {
        $person = ['email' => self::unique('php') . '@example.com', 'role' => Role::Viewer];
        $made = $this->client->members->create($person);
        self::assertStringContainsString('invite', (string) $made->invite_url);
        self::assertSame('admin', $this->client->members->update($made->id, ['role' => Role::Admin])->role);
        self::assertSame('invited', $this->client->members->get($made->id)->status);
        self::assertContains($made->id, array_column(iterator_to_array($this->client->members->list()), 'id'));
        $this->client->members->delete($made->id);
        $this->expectException(NotFound::class);
        $this->client->members->get($made->id);
    }

    public function testTokensAreMintedRefreshedIntrospectedAndRevoked(): void
    {
        $pair = $this->client->auth->token([
            'customer_id' => self::unique('php'),
            'scopes' => [Scope::InferenceRead],
            'expires_in' => 60,
        ]);
        self::assertSame(['Bearer', 60], [$pair->token_type, $pair->expires_in]);
        self::assertSame($pair->refresh_token, $this->client->auth->refresh($pair->refresh_token)->refresh_token);
        $seen = $this->client->auth->introspect($pair->access_token);
        self::assertSame([true, 'inference:read'], [$seen->active, $seen->scope]);
        $this->client->auth->revoke($pair->access_token);
        self::assertFalse($this->client->auth->introspect($pair->access_token)->active);
    }

    public function testADecisionIsExplained(): void
    {
        $key = $this->client->keys->create(['name' => 'E', 'level' => 'read', 'allowed_ips' => ['10.0.0.0/8']]);
        $request = ['key' => (string) $key->key, 'method' => 'GET', 'path' => '/v1/models'];
        $refused = $this->client->auth->explain([...$request, 'ip' => '192.0.2.1']);
        self::assertSame([false, 'ip_not_allowed'], [$refused->allowed, $refused->code]);
        self::assertContains('refused', array_column($refused->checks, 'outcome'));
        self::assertTrue($this->client->auth->explain([...$request, 'ip' => '10.1.1.1'])->allowed);
    }

    public function testTheAccessControlMatrix(): void
    {
        $matrix = $this->client->tiers();
        self::assertContains('startup', array_column($matrix->data, 'name'));
        $scopes = array_map(static fn (Scope $scope): string => $scope->value, Scope::cases());
        self::assertEqualsCanonicalizing($scopes, array_column($matrix->scopes, 'name'));
        $levels = array_map(static fn (Level $level): string => $level->value, Level::cases());
        self::assertEqualsCanonicalizing($levels, array_column($matrix->levels, 'name'));
    }

    public function testRefusalsAreTypedAndSayWhatThePageSays(): void
    {
        $key = $this->client->keys->create(['name' => 'R', 'scopes' => ['customers:read'], 'rate_limit' => 1])->key;
        $limited = $this->client->with(['api_key' => $key]);
        try {
            $limited->customers->create(['customer_id' => 'never']);
            self::fail('It was allowed.');
        } catch (InsufficientPermissions $refusal) {
            self::assertSame('customers:write', $refusal->required_scope);
            self::assertSame('authorization_error', $refusal->type);
        }
        $limited->customers->list();
        try {
            $limited->customers->list();
            self::fail('It was allowed.');
        } catch (RateLimitExceeded $refusal) {
            self::assertGreaterThan(0, $refusal->retry_after);
            self::assertStringStartsWith('req_', (string) $refusal->request_id);
        }
        try {
            $this->client->keys->create(['name' => 'x', 'colour' => 'blue']);
            self::fail('It was allowed.');
        } catch (InvalidRequest $refusal) {
            self::assertSame('invalid_request', $refusal->error_code);
        }
    }
}
