// An app's layer over the generated Kotlin client (make clients ARGS=kotlin): where the API is, signing in and refreshing
// once, keys that survive a restart, uploads, errors, and copies that are checked with 304. docs/clients.md explains it.
// Needs okhttp and moshi, which the client brings along.
package shop

import android.content.SharedPreferences
import java.io.File
import java.io.IOException
import java.util.Locale
import java.util.UUID
import java.util.concurrent.TimeUnit
import marketplace.apis.AuthApi
import marketplace.apis.CheckoutApi
import marketplace.apis.CheckoutsApi
import marketplace.apis.ProductsApi
import marketplace.infrastructure.ClientError
import marketplace.infrastructure.ClientException
import marketplace.infrastructure.ServerException
import marketplace.models.Checkout
import marketplace.models.Credentials
import marketplace.models.NewCheckout
import marketplace.models.PaymentChange
import marketplace.models.Product
import marketplace.models.QuoteRequest
import marketplace.models.Tokens
import marketplace.models.WantedLine
import okhttp3.Authenticator
import okhttp3.Cache
import okhttp3.Interceptor
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okhttp3.Route
import org.json.JSONObject

/** The emulator calls the machine it runs on 10.0.2.2; a phone needs that machine's address. */
const val DEVELOPMENT = "http://10.0.2.2:8000"

/** What the API says when it refuses: `code` never changes, `detail` is for people, `fields` are the wrong ones. */
class Refused(
    val status: Int,
    val code: String,
    detail: String,
    val requestId: String,
    val fields: Map<String, String>,
) : IOException(detail) {
    companion object {
        fun from(status: Int, body: String?): Refused {
            val problem = runCatching { JSONObject(body ?: "{}") }.getOrDefault(JSONObject())
            val errors = problem.optJSONArray("errors")
            val fields = (0 until (errors?.length() ?: 0)).associate {
                errors!!.getJSONObject(it).let { error -> error.optString("pointer") to error.optString("message") }
            }
            return Refused(
                status,
                problem.optString("code", "internal_error"),
                problem.optString("detail"),
                problem.optString("request_id"),
                fields,
            )
        }
    }
}

/** Keeps the two tokens. Give it preferences that are encrypted by a key of the Android keystore. */
class Vault(private val store: SharedPreferences) {
    var access: String?
        get() = store.getString("access", null)
        set(value) = store.edit().putString("access", value).apply()
    var refresh: String?
        get() = store.getString("refresh", null)
        set(value) = store.edit().putString("refresh", value).apply()

    fun keep(tokens: Tokens) {
        access = tokens.accessToken
        refresh = tokens.refreshToken
    }

    fun forget() = store.edit().clear().apply()
}

/** Sends the access token and the language. */
class Sender(private val vault: Vault) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request().newBuilder().header("Accept-Language", Locale.getDefault().toLanguageTag())
        val token = vault.access
        if (token != null && !chain.request().url.encodedPath.startsWith("/api/auth/")) {
            request.header("Authorization", "Bearer $token")
        }
        return chain.proceed(request.build())
    }
}

/** On a 401 exchanges the refresh token, once for all requests that wait, and repeats each of them once. */
class Refresher(private val base: String, private val vault: Vault) : Authenticator {
    private val plain = OkHttpClient()

    override fun authenticate(route: Route?, response: Response): Request? {
        if (response.priorResponse != null || response.request.url.encodedPath.startsWith("/api/auth/")) return null
        val sent = response.request.header("Authorization")
        val token = synchronized(this) {
            val kept = vault.access
            if (kept != null && sent != "Bearer $kept") kept else exchange()
        } ?: return null
        return response.request.newBuilder().header("Authorization", "Bearer $token").build()
    }

    private fun exchange(): String? {
        val refresh = vault.refresh ?: return null
        val body = JSONObject(mapOf("refresh_token" to refresh)).toString()
        val request = Request.Builder().url("$base/api/auth/refresh").post(body.toRequestBody(JSON)).build()
        return plain.newCall(request).execute().use { response ->
            val said = JSONObject(response.body?.string() ?: "{}")
            when (response.code) {
                200 -> {
                    vault.access = said.getString("access_token")
                    vault.refresh = said.getString("refresh_token")
                    vault.access
                }
                401 -> null.also { vault.forget() } // invalid_refresh_token: show the sign-in
                else -> null // the server is busy: keep the tokens, try again later
            }
        }
    }
}

/** One key for each thing that the user does, kept on the device until there is a response. */
class Keys(private val store: SharedPreferences) {
    fun <T> once(action: String, send: (String) -> T): T {
        val key = store.getString(action, null) ?: UUID.randomUUID().toString()
        store.edit().putString(action, key).commit()
        return try {
            send(key).also { store.edit().remove(action).apply() }
        } catch (refused: Refused) {
            val open = refused.status >= 500 || refused.status == 429 || refused.code == "request_in_progress"
            if (!open) store.edit().remove(action).apply() // nothing was done: the next try is another one
            throw refused
        }
    }
}

class Shop(base: String, private val vault: Vault, private val keys: Keys, cache: File) {
    private val http = OkHttpClient.Builder()
        .connectTimeout(5, TimeUnit.SECONDS)
        .readTimeout(20, TimeUnit.SECONDS)
        .cache(Cache(cache, 20L * 1024 * 1024)) // sends If-None-Match by itself, and turns 304 into the copy
        .addInterceptor(Sender(vault))
        .authenticator(Refresher(base, vault))
        .build()
    private val address = base
    private val auth = AuthApi(base, http)
    private val products = ProductsApi(base, http)
    private val quotes = CheckoutApi(base, http)
    private val checkouts = CheckoutsApi(base, http)

    fun signIn(email: String, password: String) {
        vault.keep(said { auth.login(Credentials(email = email, password = password, deviceName = "Pixel 9")) })
    }

    fun product(id: Long): Product = said { products.getProduct(productId = id) }

    /**
     * Null in the document empties a field; a field that is left out stays. The generated ProductPatch leaves out what
     * is null, so this goes as text.
     */
    fun forgetDescription(id: Long, etag: String) {
        val request = Request.Builder()
            .url("$address/api/products/$id")
            .header("If-Match", etag)
            .patch("""{"description": null}""".toRequestBody(JSON))
            .build()
        http.newCall(request).execute().use { response ->
            if (!response.isSuccessful) throw Refused.from(response.code, response.body?.string())
        }
    }

    fun addImage(id: Long, file: File) = keys.once("image:$id:${file.path}") { key ->
        said { products.addProductImages(productId = id, images = listOf(file), idempotencyKey = key) }
    }

    /** Buys one thing: the quote first, so that the buyer sees the total that is then sent back. */
    fun buy(productId: Long, quantity: Int): Checkout {
        val lines = listOf(WantedLine(productId = productId, quantity = quantity))
        val quote = said { quotes.quoteCheckout(QuoteRequest(lines = lines, buyNow = true)) }
        return keys.once("buy:$productId") { key ->
            val payment = PaymentChange(method = "cod")
            said { checkouts.placeCheckout(key, NewCheckout(quote.total, null, lines, true, payment = payment)) }
        }
    }

    private fun <T> said(call: () -> T): T = try {
        call()
    } catch (refused: ClientException) {
        throw Refused.from(refused.statusCode, (refused.response as? ClientError<*>)?.body?.toString())
    } catch (failed: ServerException) {
        throw Refused.from(failed.statusCode, null)
    }
}

private val JSON = "application/json".toMediaType()
